// Threads, runs, streams, interrupts and joins by the client of @langchain/langgraph-sdk.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { Client } from "@langchain/langgraph-sdk";

import { HELLO, SUMMARY, TEXT, asked, client, newThread, parts, url } from "./trial.js";

test("a run is waited for, read and listed", async () => {
  const thread = await newThread();
  const result = await client.runs.wait(thread, "three_stages", { input: TEXT, metadata: { a: 1 } });
  const [run] = await client.runs.list(thread, { limit: 5, offset: 0 });

  assert.equal(result.summary, SUMMARY);
  assert.deepEqual([run.status, run.metadata], ["success", { a: 1 }]);
  assert.deepEqual(await client.runs.get(thread, run.run_id), run);
});

test("a run is created and joined", async () => {
  const thread = await newThread();
  const heard = [];
  const run = await client.runs.create(thread, "three_stages", { input: TEXT, onRunCreated: (made) => heard.push(made) });

  assert.equal((await client.runs.join(thread, run.run_id)).summary, SUMMARY);
  assert.deepEqual(heard, [{ run_id: run.run_id, thread_id: thread }]);
});

test("a run without a thread gives its result", async () => {
  assert.equal((await client.runs.wait(null, "three_stages", { input: TEXT })).summary, SUMMARY);
  const batch = await client.runs.createBatch([
    { assistantId: "three_stages", input: TEXT, streamMode: "updates", onCompletion: "keep" },
  ]);
  const stream = await parts(client.runs.joinStream(batch[0].thread_id, batch[0].run_id));
  assert.equal(stream.filter((part) => part.event === "updates").length, 3);
});

test("a stream shows the stages", async () => {
  const stream = await parts(
    client.runs.stream(await newThread(), "three_stages", { input: TEXT, streamMode: ["updates", "values"] }),
  );

  assert.equal(stream[0].event, "metadata");
  assert.deepEqual(
    stream.filter((part) => part.event === "updates").map((part) => Object.keys(part.data)[0]),
    ["count_words", "count_letters", "sum_up"],
  );
  assert.equal(stream.at(-1).data.summary, SUMMARY);
});

test("tokens come as pieces", async () => {
  const stream = await parts(client.runs.stream(null, "talk", { input: HELLO, streamMode: "messages-tuple" }));

  const pieces = stream.filter((part) => part.event === "messages").map((part) => part.data[0].content);
  assert.equal(pieces.join(""), "You said: hello there");
});

test("subgraphs are shown when asked for", async () => {
  const stream = await parts(
    client.runs.stream(null, "nested", { input: { number: 2 }, streamMode: "updates", streamSubgraphs: true }),
  );

  assert.ok(stream.some((part) => part.event.startsWith("updates|calculate:")));
});

test("a stream is joined again after an event", async () => {
  const thread = await newThread();
  const whole = await parts(
    client.runs.stream(thread, "three_stages", { input: TEXT, streamMode: "updates", streamResumable: true }),
  );
  const run = whole[0].data.run_id;

  assert.deepEqual(await parts(client.runs.joinStream(thread, run, { lastEventId: "-1" })), whole);
  assert.deepEqual(await parts(client.runs.joinStream(thread, run, { lastEventId: whole[1].id })), whole.slice(2));
  const some = await parts(client.runs.joinStream(thread, run, { streamMode: ["updates"] }));
  assert.equal(some.length, 4);
});

test("a question is answered", async () => {
  const [thread, interrupt] = await asked();
  const { status, interrupts } = await client.threads.get(thread);
  const command = { resume: { [interrupt.id]: { text: "with milk" } } };
  const result = await client.runs.wait(thread, "question", { command });

  assert.equal(interrupt.value.question, "What about tea?");
  assert.deepEqual([status, Object.values(interrupts)[0][0].id], ["interrupted", interrupt.id]);
  assert.equal(result.summary, "tea: with milk");
});

test("a run stops before a stage and goes on", async () => {
  const thread = await newThread();
  await client.runs.wait(thread, "three_stages", { input: TEXT, interruptBefore: ["sum_up"] });

  assert.deepEqual((await client.threads.getState(thread)).next, ["sum_up"]);
  assert.equal((await client.runs.wait(thread, "three_stages", { input: null })).summary, SUMMARY);
});

test("state is read, written and gone back to", async () => {
  const thread = await newThread();
  await client.runs.wait(thread, "three_stages", { input: TEXT });
  const history = await client.threads.getHistory(thread, { limit: 3 });
  const { checkpoint } = await client.threads.updateState(thread, { values: { summary: "mine" }, asNode: "sum_up" });
  const again = await client.runs.wait(thread, "three_stages", { input: null, checkpoint: history[1].checkpoint });

  assert.deepEqual(history.map((state) => state.next), [[], ["sum_up"], ["count_letters"]]);
  assert.equal((await client.threads.getState(thread, checkpoint)).values.summary, "mine");
  assert.equal(again.summary, SUMMARY);
});

test("a subgraph that waits is read in its own place", async () => {
  const thread = await newThread();
  await client.runs.wait(thread, "confirmed", { input: { number: 3 } });

  const [task] = (await client.threads.getState(thread)).tasks;
  const [open] = (await client.threads.getState(thread, null, { subgraphs: true })).tasks;
  const inside = await client.threads.getState(thread, task.checkpoint);
  const history = await client.threads.getHistory(thread, { checkpoint: task.checkpoint });

  assert.deepEqual([task.state, open.checkpoint], [null, null]);
  assert.deepEqual(open.state, inside);
  assert.deepEqual([inside.next, inside.values], [["confirm"], { number: 3, doubled: 6 }]);
  assert.deepEqual(
    history.map((state) => state.next),
    [["confirm"], ["double"], ["__start__"]],
  );
});

test("threads are changed, found, counted, copied and deleted", async () => {
  const metadata = { mark: randomUUID() };
  const thread = (await client.threads.create({ metadata, graphId: "slow", ttl: 60 })).thread_id;
  await client.threads.update(thread, { metadata: { b: 2 } });
  const found = await client.threads.search({ metadata, limit: 5, sortBy: "created_at", sortOrder: "desc" });
  const copy = await client.threads.copy(thread);

  assert.deepEqual(found.map((one) => [one.thread_id, one.metadata.b]), [[thread, 2]]);
  assert.equal(await client.threads.count({ metadata }), 2);
  await client.threads.delete(copy.thread_id);
  await assert.rejects(client.threads.get(copy.thread_id), /404/);
});

test("a run is cancelled", async () => {
  const thread = await newThread();
  const run = await client.runs.create(thread, "slow", { input: { seconds: 20 } });
  await client.runs.cancel(thread, run.run_id, true, "interrupt");

  assert.equal((await client.runs.get(thread, run.run_id)).status, "interrupted");
});

test("a failure is raised", async () => {
  const failing = client.runs.wait(await newThread(), "fails", { input: { message: "as it should" } });

  await assert.rejects(failing, /workflow_failed/);
});

test("what is refused is an error that can be read", async () => {
  const stranger = new Client({ apiUrl: url, apiKey: "wrong", callerOptions: { maxRetries: 0 } });

  await assert.rejects(stranger.threads.create(), { status: 401 });
  await assert.rejects(client.threads.get(randomUUID()), { status: 404, message: /There is no thread/ });
  await assert.rejects(client.runs.create(null, "three_stages", { input: TEXT, afterSeconds: -1 }), { status: 422 });
});

test("assistants, crons and the store answer", async () => {
  const [assistant] = await client.assistants.search({ graphId: "slow", limit: 1 });
  const cron = await client.crons.create("slow", { schedule: "0 0 1 1 *", input: { seconds: 0 } });
  await client.crons.delete(cron.cron_id);
  await client.store.putItem(["sdk", "js"], "k", { a: 1 });

  assert.equal((await client.assistants.getGraph(assistant.assistant_id)).nodes.length, 5);
  assert.equal((await client.assistants.getSchemas("slow")).graph_id, "slow");
  assert.deepEqual((await client.store.getItem(["sdk", "js"], "k")).value, { a: 1 });
  assert.equal((await client.store.searchItems(["sdk", "js"])).items.length, 1);
});
