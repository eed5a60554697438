// What useStream of every framework stands on: the stream controller, and the thread stream under it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { StreamController } from "@langchain/langgraph-sdk/stream";

import { HELLO, SUMMARY, TEXT, asked, client, newThread } from "./trial.js";

async function until(controller, holds) {
  const patience = Date.now() + 20_000; // a busy machine is slow, and no test shall fail of that
  while (Date.now() < patience) {
    const snapshot = controller.rootStore.getSnapshot();
    if (holds(snapshot)) return snapshot;
    await new Promise((wake) => setTimeout(wake, 20));
  }
  throw new Error(`never so: ${JSON.stringify(controller.rootStore.getSnapshot())}`);
}

async function using(assistantId, threadId, play) {
  const controller = new StreamController({ assistantId, client, threadId });
  const release = controller.activate();
  try {
    await play(controller);
  } finally {
    release();
    await controller.dispose();
  }
}

test("a new thread gets a run, and its values", async () => {
  await using("three_stages", null, async (controller) => {
    await controller.submit(TEXT);
    const { values, threadId } = await until(controller, (now) => now.values.summary && !now.isLoading);

    assert.equal(values.summary, SUMMARY);
    assert.equal((await client.threads.get(threadId)).status, "idle");
  });
});

test("messages grow", async () => {
  await using("talk", null, async (controller) => {
    await controller.submit(HELLO);
    const said = (now) => now.messages.at(-1)?.text;
    const { messages } = await until(controller, (now) => said(now) === "You said: hello there" && !now.isLoading);

    assert.deepEqual(messages.map((message) => message.text), ["hello there", "You said: hello there"]);
  });
});

test("a question is shown and answered", async () => {
  await using("question", null, async (controller) => {
    await controller.submit({ topic: "tea" });
    const { interrupt } = await until(controller, (now) => now.interrupt && !now.isLoading);
    await controller.respond({ text: "with milk" });
    const { values } = await until(controller, (now) => now.values.summary);

    assert.equal(interrupt.value.question, "What about tea?");
    assert.equal(values.summary, "tea: with milk");
  });
});

test("a thread that waits is opened again and answered", async () => {
  const [thread] = await asked();
  await using("question", thread, async (controller) => {
    await controller.hydrate(thread);
    const { interrupt, values } = await until(controller, (now) => now.interrupt && now.values.topic);
    await controller.respond({ text: "plain" }, { interruptId: interrupt.id });
    const after = await until(controller, (now) => now.values.summary);

    assert.equal(interrupt.value.question, "What about tea?");
    assert.equal(values.topic, "tea");
    assert.equal(after.values.summary, "tea: plain");
  });
});

test("a run is stopped", async () => {
  const thread = await newThread();
  await using("slow", thread, async (controller) => {
    const submitted = controller.submit({ seconds: 20 });
    await until(controller, (now) => now.isLoading);
    while ((await client.runs.list(thread)).length === 0) await new Promise((wake) => setTimeout(wake, 20));
    await controller.stop();
    await submitted;
    const [run] = await client.runs.list(thread);
    await client.runs.join(thread, run.run_id);

    assert.equal((await client.runs.get(thread, run.run_id)).status, "interrupted");
  });
});

test("a thread stream gives values and output", async () => {
  const thread = client.threads.stream({ assistantId: "three_stages" });
  try {
    await thread.run.start({ input: TEXT });
    assert.equal((await thread.output).summary, SUMMARY);
  } finally {
    await thread.close();
  }
});
