// A graph of ours as the RemoteGraph of @langchain/langgraph.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Command } from "@langchain/langgraph";
import { RemoteGraph } from "@langchain/langgraph/remote";

import { SUMMARY, TEXT, apiKey, newThread, parts, url } from "./trial.js";

function remote(graphId) {
  return new RemoteGraph({ graphId, url, apiKey });
}

async function onThread() {
  return { configurable: { thread_id: await newThread() } };
}

test("it is called with and without a thread", async () => {
  const graph = remote("three_stages");
  const config = await onThread();

  assert.equal((await graph.invoke(TEXT)).summary, SUMMARY);
  assert.equal((await graph.invoke(TEXT, config)).summary, SUMMARY);
  assert.equal((await graph.getState(config)).values.summary, SUMMARY);
});

test("it streams", async () => {
  const updates = await parts(await remote("three_stages").stream(TEXT, { streamMode: "updates" }));
  const inner = await parts(await remote("nested").stream({ number: 2 }, { streamMode: "updates", subgraphs: true }));

  assert.deepEqual(updates.map((update) => Object.keys(update)[0]), ["count_words", "count_letters", "sum_up"]);
  assert.ok(inner.some(([namespace]) => namespace.length === 1));
});

test("it waits and is resumed", async () => {
  const graph = remote("question");
  const config = await onThread();
  await assert.rejects(graph.invoke({ topic: "tea" }, config), { name: "GraphInterrupt" }); // its way to say so
  const state = await graph.getState(config);
  const [interrupt] = state.tasks[0].interrupts;
  const result = await graph.invoke(new Command({ resume: { [interrupt.interrupt_id]: { text: "with milk" } } }), config);

  assert.deepEqual(state.next, ["ask"]);
  assert.equal(result.summary, "tea: with milk");
});

test("its state is read over time and written", async () => {
  const graph = remote("three_stages");
  const config = await onThread();
  await graph.invoke(TEXT, config);
  const history = await parts(graph.getStateHistory(config, { limit: 2 }));
  const written = await graph.updateState(config, { summary: "mine" }, "sum_up");

  assert.deepEqual(history.map((state) => state.next), [[], ["sum_up"]]);
  assert.equal((await graph.getState(written)).values.summary, "mine");
});

test("a failure is raised", async () => {
  await assert.rejects(remote("fails").invoke({ message: "as it should" }), /workflow_failed/);
});

test("it is drawn", async () => {
  const drawn = await remote("nested").getGraphAsync({ xray: true });

  assert.ok("__start__" in drawn.nodes);
});
