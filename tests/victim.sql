-- A tenant who has a row in every table that holds tenants' rows; a new table wants one here.
INSERT INTO thread (id, tenant, workflow, metadata)
VALUES ('11111111-1111-4111-8111-111111111111', 'victim', 'secret-of-the-victim', '{"x": "secret-of-the-victim"}');
INSERT INTO run (id, thread_id, case_id, tenant, workflow, version, kind, requester, actor, status, webhook)
VALUES ('11111111-1111-4111-8111-111111111112', '11111111-1111-4111-8111-111111111111',
    '11111111-1111-4111-8111-111111111112', 'victim', 'secret-of-the-victim', 'v', 'input', 'secret-of-the-victim', 'secret-of-the-victim', 'pending', 'secret-of-the-victim');
INSERT INTO run_event (run_id, event, data, tenant)
VALUES ('11111111-1111-4111-8111-111111111112', 'values', 'secret-of-the-victim', 'victim');
INSERT INTO approval (id, freeze_key, tenant, thread_id, run_id, workflow, version, requester, queue, tool,
    tool_version,
    args, facts, action_digest, verdict, rule, why, policy_version, card, status, quorum, requested_at, expires_at)
VALUES ('11111111-1111-4111-8111-111111111113', 'secret-of-the-victim', 'victim',
    '11111111-1111-4111-8111-111111111111', '11111111-1111-4111-8111-111111111112', 'secret-of-the-victim', 'v', 'secret-of-the-victim', 'secret-of-the-victim', 'secret-of-the-victim', '1', '{}',
    '{}', 'd', 'require_approval', 'r', 'secret-of-the-victim', 'v', '{}', 'pending', '{}', now(), now());
INSERT INTO approval_vote (request_id, by, type, roles, action_digest, tenant)
VALUES ('11111111-1111-4111-8111-111111111113', 'secret-of-the-victim', 'approve', '{}', 'd', 'victim');
INSERT INTO question (id, tenant, thread_id, run_id, workflow, stage, interrupt_id, question)
VALUES ('11111111-1111-4111-8111-111111111113', 'victim', '11111111-1111-4111-8111-111111111111',
    '11111111-1111-4111-8111-111111111112', 'secret-of-the-victim', 's', 'i', 'secret-of-the-victim');
INSERT INTO effect (call_key, thread_id, case_id, run_id, stage, tool, tool_version, effect_class, args, args_hash,
    idempotency_key, state, attempt_epoch, tenant, workflow)
VALUES ('secret-of-the-victim', '11111111-1111-4111-8111-111111111111',
    '11111111-1111-4111-8111-111111111112', '11111111-1111-4111-8111-111111111112', 's', 'secret-of-the-victim', '1', 'read', '{}', 'h', 'k', 'unknown', 1, 'victim', 'w');
INSERT INTO api_key (id, name, secret_sha256, roles, tenant)
VALUES ('victims', 'secret-of-the-victim', '', '{caller}', 'victim');
INSERT INTO person (tenant, name, roles, rights_at) VALUES ('victim', 'secret-of-the-victim', '{caller}', now());
INSERT INTO sender (id, tenant, name, kind, workflow, public_key)
VALUES ('secret-of-the-victim', 'victim', 'secret-of-the-victim', 'agent', 'w', '{}');
INSERT INTO received_message (sender_id, message_id, tenant, thread_id)
VALUES ('secret-of-the-victim', 'secret-of-the-victim', 'victim', '11111111-1111-4111-8111-111111111111');
INSERT INTO assistant (id, tenant) VALUES ('11111111-1111-4111-8111-111111111113', 'victim');
INSERT INTO assistant_version (assistant_id, version, workflow, name, created_by, tenant)
VALUES ('11111111-1111-4111-8111-111111111113', 1, 'secret-of-the-victim', 'secret-of-the-victim',
    'secret-of-the-victim', 'victim');
INSERT INTO tool_record (tenant, system, kind, key, value)
VALUES ('victim', 'crm', 'person', 'secret-of-the-victim', '"secret-of-the-victim"');
INSERT INTO workflow_version (digest, workflow, manifest) VALUES ('11111111-1111-4111-8111-111111111113', 'w', '{}');
INSERT INTO version_drain (digest, tenant, drained_by, reason)
VALUES ('11111111-1111-4111-8111-111111111113', 'victim', 'secret-of-the-victim', 'secret-of-the-victim');
INSERT INTO schedule (id, tenant, requester, cron, assistant_id, enabled, payload, next_run_at)
VALUES ('11111111-1111-4111-8111-111111111113', 'victim', 'secret-of-the-victim', '* * * * *',
    '11111111-1111-4111-8111-111111111113', true, '{}', now());
INSERT INTO webhook (id, run_id, thread_id, tenant, url, payload)
VALUES ('11111111-1111-4111-8111-111111111113', '11111111-1111-4111-8111-111111111112', '11111111-1111-4111-8111-111111111111', 'victim', 'secret-of-the-victim', '{}');
INSERT INTO notify_route (name, tenant, queues, events) VALUES ('secret-of-the-victim', 'victim', '{}', '{}');
INSERT INTO review_queue (tenant, name, paused_by, paused_at)
VALUES ('victim', 'secret-of-the-victim', 'secret-of-the-victim', now());
INSERT INTO queue_throttle (tenant, queue, cause) VALUES ('victim', 'secret-of-the-victim', 'pause');
INSERT INTO canary (id, tenant, queue, workflow, copied_from, changes, wrong, due_at, expires_at)
VALUES (gen_random_uuid(), 'victim', 'secret-of-the-victim', 'secret-of-the-victim',
    '11111111-1111-4111-8111-111111111113', '{}', 'secret-of-the-victim', now(), now());
INSERT INTO untrusted_value (tenant, mark, tool, thread_id)
VALUES ('victim', 'secret-of-the-victim', 't', '11111111-1111-4111-8111-111111111111');
INSERT INTO effect_party (call_key, tenant, tool, mark)
VALUES ('secret-of-the-victim', 'victim', 't', 'secret-of-the-victim');
INSERT INTO limit_use (tenant, scope, period, unit, used) VALUES ('victim', 'secret-of-the-victim', 'now', 'calls', 1);
INSERT INTO held_call (call_key, tenant, run_id, kind, stage, step)
VALUES ('secret-of-the-victim', 'victim', '11111111-1111-4111-8111-111111111112', 'tool', 's', 's');
INSERT INTO rate_limit (tenant, name, every_s, free_at) VALUES ('victim', 'secret-of-the-victim', 1, now());
INSERT INTO breaker (tenant, name) VALUES ('victim', 'secret-of-the-victim');
INSERT INTO kill_switch (tenant, scope, name, reason, off_by)
VALUES ('victim', 'tool', 'secret-of-the-victim', 'secret-of-the-victim', 'secret-of-the-victim');
INSERT INTO refusal_count (tenant, workflow, since) VALUES ('victim', 'secret-of-the-victim', now());
INSERT INTO known_use (tenant, workflow, stage, tool) VALUES ('victim', 'secret-of-the-victim', 's', 't');
INSERT INTO workflow_mode (tenant, workflow, mode, reason, set_by)
VALUES ('victim', 'secret-of-the-victim', 'auto', 'secret-of-the-victim', 'secret-of-the-victim');
INSERT INTO mode_wish (id, tenant, workflow, mode, reason, asked_by)
VALUES (gen_random_uuid(), 'victim', 'secret-of-the-victim', 'auto', 'secret-of-the-victim', 'secret-of-the-victim');
INSERT INTO store (prefix, key, value, tenant)
VALUES ('victim.notes', 'secret-of-the-victim', '{"x": "secret-of-the-victim"}', 'victim');
INSERT INTO checkpoints (thread_id, checkpoint_id, checkpoint, metadata, tenant)
VALUES ('11111111-1111-4111-8111-111111111111', 'c', '{"channel_versions": {"branch:to:s": "1"}}',
    '{"x": "secret-of-the-victim"}', 'victim');
INSERT INTO checkpoint_blobs (thread_id, channel, version, type, blob, tenant)
VALUES ('11111111-1111-4111-8111-111111111111', 'branch:to:s', '1', 'msgpack', 'secret-of-the-victim', 'victim');
INSERT INTO checkpoint_writes (thread_id, checkpoint_id, task_id, idx, channel, type, blob, tenant)
VALUES ('11111111-1111-4111-8111-111111111111', 'c', 't', 0, 'secret-of-the-victim', 'msgpack',
    'secret-of-the-victim', 'victim');
SET gatehouse.tenant = 'victim';
SELECT audit_append('case:11111111-1111-4111-8111-111111111111', '{"x": "secret-of-the-victim"}', 1, 'victim',
    ARRAY['crm', 'person', 'secret-of-the-victim'], NULL, '\x01');
SET gatehouse.across = 'on';
SELECT audit_note_checkpoint(1, '', '', '', ARRAY['case:11111111-1111-4111-8111-111111111111'], ARRAY[1::bigint], ARRAY[''::bytea]);
INSERT INTO audit_seal (stream, seq, hash, body, signature, key_id, recorded, keep_days, tenant)
VALUES ('case:11111111-1111-4111-8111-111111111111', 1, '', 'secret-of-the-victim', '', '', 2, 400, 'victim');
INSERT INTO trace_page (tenant, thread_id, case_id, run_id, risk, payload)
VALUES ('victim', '11111111-1111-4111-8111-111111111111', '11111111-1111-4111-8111-111111111112',
    '11111111-1111-4111-8111-111111111112', 'high', 'secret-of-the-victim');
INSERT INTO trace_blob (tenant, thread_id, digest, payload)
VALUES ('victim', '11111111-1111-4111-8111-111111111111', 'secret-of-the-victim', 'secret-of-the-victim');
INSERT INTO stage_use (tenant, case_id, stage, visits, failed, us, led)
VALUES ('victim', '11111111-1111-4111-8111-111111111112', 'secret-of-the-victim', 1, 0, 1, '{}');
INSERT INTO model_use (tenant, case_id, stage, route, currency, calls, failed, tokens_read, tokens_written, ms, cost)
VALUES ('victim', '11111111-1111-4111-8111-111111111112', 's', 'secret-of-the-victim', '', 1, 0, 1, 1, 1, 1);
INSERT INTO alarm (tenant, kind, name) VALUES ('victim', 'errors', 'secret-of-the-victim');
