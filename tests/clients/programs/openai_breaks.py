"""The `openai` package while the model breaks off in the middle of a stream. Prints one JSON object."""

import json
import os

import openai

client = openai.OpenAI(base_url=os.environ["TWIN_URL"] + "/v1", api_key=os.environ["TWIN_API_KEY"], max_retries=0)
messages = [{"role": "user", "content": "What is the sourdough starter fed with? Break off."}]
text, reasons = "", []
try:
    for chunk in client.chat.completions.create(model="twin", messages=messages, stream=True):
        text += chunk.choices[0].delta.content or ""
        reasons.append(chunk.choices[0].finish_reason)
except openai.APIError as error:
    print(json.dumps({"text": text, "reasons": reasons, "error": error.message}))
