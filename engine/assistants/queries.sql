-- name: insert_assistant
-- Make an assistant unless its id is taken.
INSERT INTO assistant (id, tenant) VALUES (%(id)s, %(tenant)s) ON CONFLICT DO NOTHING RETURNING id;

-- name: insert_version
-- Keep what a version says; its number follows the assistant's highest.
INSERT INTO assistant_version (assistant_id, version, workflow, name, description, config, context, metadata, created_by)
SELECT %(id)s, coalesce(max(version), 0) + 1, %(workflow)s, %(name)s, %(description)s, %(config)s, %(context)s,
       %(metadata)s, %(created_by)s
FROM assistant_version WHERE assistant_id = %(id)s
RETURNING version;

-- name: assistant
-- One assistant of a tenant with the version that runs get.
SELECT a.id, v.version, v.workflow, v.name, v.description, v.config, v.context, v.metadata, a.created_at, a.updated_at
FROM assistant a JOIN assistant_version v ON v.assistant_id = a.id AND v.version = a.version
WHERE a.id = %(id)s AND a.tenant = %(tenant)s;

-- name: lock
-- Hold an assistant, so that its versions are numbered one after another.
SELECT id FROM assistant WHERE id = %(id)s AND tenant = %(tenant)s FOR UPDATE;

-- name: use_version
-- Have runs get this version, if there is one.
UPDATE assistant SET version = %(version)s, updated_at = now()
WHERE id = %(id)s AND EXISTS (SELECT FROM assistant_version WHERE assistant_id = %(id)s AND version = %(version)s)
RETURNING id;

-- name: delete_assistant
-- Remove an assistant with its versions.
DELETE FROM assistant WHERE id = %(id)s AND tenant = %(tenant)s RETURNING id;

-- name: versions
-- The versions of an assistant, newest first.
SELECT v.assistant_id AS id, v.version, v.workflow, v.name, v.description, v.config, v.context, v.metadata, v.created_at,
       v.created_at AS updated_at
FROM assistant_version v WHERE v.assistant_id = %(id)s AND v.metadata @> %(metadata)s
ORDER BY v.version DESC LIMIT %(limit)s OFFSET %(offset)s;

-- name: search
-- A page of a tenant's assistants and the system's, and how many there are; an empty page has one row without an id.
WITH every AS (
    SELECT a.id, v.version, v.workflow, v.name, v.description, v.config, v.context, v.metadata, a.created_at,
           a.updated_at
    FROM assistant a JOIN assistant_version v ON v.assistant_id = a.id AND v.version = a.version
    WHERE a.tenant = %(tenant)s
    UNION ALL
    SELECT s.id, s.version, s.workflow, s.name, s.description, s.config, s.context, s.metadata, s.at, s.at
    FROM jsonb_to_recordset(%(system)s) AS s (id uuid, version integer, workflow text, name text, description text,
                                              config jsonb, context jsonb, metadata jsonb, at timestamptz)
), found AS (
    SELECT *, CASE %(sort_by)s::text WHEN 'assistant_id' THEN id::text WHEN 'graph_id' THEN workflow WHEN 'name' THEN name
              WHEN 'created_at' THEN to_char(created_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS')
              WHEN 'updated_at' THEN to_char(updated_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS') END AS sort_key
    FROM every
    WHERE (%(workflow)s::text IS NULL OR workflow = %(workflow)s)
      AND (%(name)s::text IS NULL OR strpos(lower(name), lower(%(name)s)) > 0)
      AND metadata @> %(metadata)s
), placed AS (
    SELECT *, row_number() OVER (ORDER BY CASE WHEN %(ascending)s THEN sort_key END,
                                          CASE WHEN NOT %(ascending)s THEN sort_key END DESC, id) AS place
    FROM found
)
SELECT placed.*, total FROM (SELECT count(*) AS total FROM found) AS counted
LEFT JOIN placed ON place > %(offset)s AND place <= %(offset)s + %(limit)s
ORDER BY place;
