// The server that the tests talk to, and what they say to it.

import { Client } from "@langchain/langgraph-sdk";

export const url = process.env.GATEHOUSE_URL;
export const apiKey = process.env.GATEHOUSE_KEY;
export const TEXT = { text: "one two" };
export const SUMMARY = "2 words, 6 letters";
export const HELLO = { messages: [{ type: "human", content: "hello there" }] };

export const client = new Client({ apiUrl: url, apiKey });

export async function newThread() {
  return (await client.threads.create()).thread_id;
}

export async function parts(stream) {
  const all = [];
  for await (const part of stream) all.push(part);
  return all;
}

export async function asked() {
  const thread = await newThread();
  const result = await client.runs.wait(thread, "question", { input: { topic: "tea" } });
  return [thread, result.__interrupt__[0]];
}
