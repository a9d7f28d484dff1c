// What the official TypeScript SDK sees of a provider at a base URL, as JSON: node sdk.cjs BASE_URL.
// Run twice, directly and through Tollbridge, the output must be the same, but for the header that Tollbridge adds.
const Anthropic = require("@anthropic-ai/sdk");

const model = "claude-sonnet-4-20250514";
const ask = { model, max_tokens: 64, messages: [{ role: "user", content: "Hi" }] };
const client = new Anthropic({ baseURL: process.argv[2], apiKey: "sk-ant-of-the-client", maxRetries: 0, timeout: 10_000 });
const faking = (kind) => ({ headers: { "x-fake-answer": kind } });
const plain = (message) => ({
  id: message.id,
  model: message.model,
  stop: message.stop_reason,
  blocks: message.content.map((block) => block.type),
  calls: message.content.filter((block) => block.type === "tool_use").map((block) => block.input),
  usage: [message.usage.input_tokens, message.usage.output_tokens],
});

async function main() {
  const seen = { headers: {} };
  seen.message = plain(await client.messages.create(ask));
  const { response } = await client.messages.create(ask).withResponse();
  seen.headers.message = [...response.headers].sort();
  seen.stream = plain(await client.messages.stream(ask).finalMessage());
  seen.tools = plain(await client.messages.stream(ask, faking("tools")).finalMessage());
  seen.events = [];
  const streamed = await client.messages.create({ ...ask, stream: true }).withResponse();
  for await (const event of streamed.data) seen.events.push(event.type);
  seen.headers.stream = [...streamed.response.headers].sort();
  for (const kind of ["429", "529", "400", "error-event"]) {
    try {
      for await (const _ of await client.messages.create({ ...ask, stream: true }, faking(kind)));
      seen[kind] = "no error";
    } catch (error) {
      seen[kind] = { name: error.constructor.name, status: error.status ?? null, body: error.error ?? null };
      seen.headers[kind] = [...error.headers].sort();
    }
  }
  const hanging = await client.messages.create({ ...ask, stream: true }, faking("hang"));
  for await (const event of hanging) {
    if (event.type !== "content_block_delta") continue;
    seen.cancelledAfter = event.type;
    hanging.controller.abort();
    break;
  }
  seen.models = [];
  for await (const listed of client.models.list()) seen.models.push(listed.id);
  seen.count = (await client.messages.countTokens({ model, messages: ask.messages })).input_tokens;
  const batch = await client.messages.batches.create({ requests: [{ custom_id: "one", params: ask }] });
  seen.batch = [];
  for await (const result of await client.messages.batches.results(batch.id)) {
    seen.batch.push([result.custom_id, result.result.type]);
  }
  console.log(JSON.stringify(seen));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
