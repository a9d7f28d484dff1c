"""What the official Python SDK sees of a provider at a base URL, as JSON: usage: sdk.py BASE_URL.

Run twice, directly and through Tollbridge, the output must be the same, but for the header that Tollbridge adds.
"""

import json
import sys

import anthropic

MODEL = "claude-sonnet-4-20250514"
ASK = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}

client = anthropic.Anthropic(base_url=sys.argv[1], api_key="sk-ant-of-the-client", max_retries=0, timeout=10)
seen = {"headers": {}}


def plain(message):
    return {
        "id": message.id,
        "model": message.model,
        "stop": message.stop_reason,
        "blocks": [block.type for block in message.content],
        "text": "".join(block.text for block in message.content if block.type == "text"),
        "input": message.usage.input_tokens,
        "output": message.usage.output_tokens,
    }


def headers(kind):
    return {"x-fake-answer": kind}


def keep_headers(name, response):
    seen["headers"][name] = sorted([key.lower(), value] for key, value in response.headers.multi_items())


seen["message"] = plain(client.messages.create(**ASK))

keep_headers("message", client.messages.with_raw_response.create(**ASK))

with client.messages.stream(**ASK) as stream:
    seen["stream_text"] = "".join(stream.text_stream)
    seen["stream"] = plain(stream.get_final_message())
    keep_headers("stream", stream.response)

with client.messages.stream(**ASK, extra_headers=headers("tools")) as stream:
    final = stream.get_final_message()
    seen["tools"] = {**plain(final), "calls": [b.input for b in final.content if b.type == "tool_use"]}

seen["events"] = [event.type for event in client.messages.create(**ASK, stream=True)]

for kind in ["429", "529", "400", "error-event"]:
    try:
        for _ in client.messages.create(**ASK, stream=True, extra_headers=headers(kind)):
            pass
        seen[kind] = "no error"
    except anthropic.APIError as error:
        seen[kind] = {"class": type(error).__name__, "message": str(error), "body": error.body}
        keep_headers(kind, error.response)

cancelled = client.messages.create(**ASK, stream=True, extra_headers=headers("hang"))
seen["cancelled_after"] = next(event.type for event in cancelled if event.type == "content_block_delta")
cancelled.close()

seen["models"] = [model.id for model in client.models.list()] if hasattr(client, "models") else None
if hasattr(client.messages, "count_tokens"):
    seen["count"] = client.messages.count_tokens(model=MODEL, messages=ASK["messages"]).input_tokens
if hasattr(client.messages, "batches"):
    batch = client.messages.batches.create(requests=[{"custom_id": "one", "params": ASK}])
    results = client.messages.batches.results(batch.id)
    seen["batch"] = [[result.custom_id, result.result.type] for result in results]

print(json.dumps(seen, sort_keys=True))
