"""The `openai` package: `.stream()` with its accumulator, usage, a follow-up, errors. Prints one JSON object."""

import json
import os

import openai

client = openai.OpenAI(base_url=os.environ["TWIN_URL"] + "/v1", api_key=os.environ["TWIN_API_KEY"], max_retries=0)
ASKED = {"role": "user", "content": "What is the sourdough starter fed with?"}

with client.chat.completions.stream(model="twin", messages=[ASKED], stream_options={"include_usage": True}) as stream:
    kinds = [event.type for event in stream]
    final = stream.get_final_completion()
message = final.choices[0].message
seen = {
    "kinds": sorted(set(kinds)),
    "text": message.content,
    "marks": [
        message.content[each["url_citation"]["start_index"] : each["url_citation"]["end_index"]]
        for each in (message.model_dump()["annotations"] or [])
    ],
    "finish_reason": final.choices[0].finish_reason,
    "total_tokens": final.usage.total_tokens,
    "models": [model.id for model in client.models.list()],
}

follow_up = client.chat.completions.create(
    model="twin",
    messages=[
        {"role": "user", "content": "Does the dough rest in the fridge?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "And how long does that take?"},
    ],
)
seen["follow_up"] = follow_up.choices[0].message.content

errors = {}
for name, request in {
    "model": {"model": "gpt-4", "messages": [ASKED]},
    "choices": {"model": "twin", "messages": [ASKED], "n": 2},
    "field": {"model": "twin", "messages": [ASKED], "extra_body": {"twin": {"autor": "x"}}},
}.items():
    try:
        client.chat.completions.create(**request)
    except openai.APIStatusError as error:
        errors[name] = [type(error).__name__, error.code, error.body["message"]]
try:
    client.with_options(api_key="wrong").models.list()
except openai.AuthenticationError as error:
    errors["key"] = [type(error).__name__, error.code, error.body["message"]]
seen["errors"] = errors
print(json.dumps(seen))
