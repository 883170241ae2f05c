"""`langchain-openai`: an answer, a stream, an error. Prints one JSON object."""

import json
import os

from langchain_openai import ChatOpenAI

ASKED = "What is the sourdough starter fed with?"
settings = {"base_url": os.environ["TWIN_URL"] + "/v1", "api_key": os.environ["TWIN_API_KEY"], "max_retries": 0}
chat = ChatOpenAI(model="twin", temperature=0.1, **settings)
answer = chat.invoke([("system", "Be brief."), ("human", ASKED)])
try:
    ChatOpenAI(model="gpt-4", **settings).invoke(ASKED)
except Exception as error:  # noqa: BLE001 - whatever reaches a program that uses it
    failed = str(error)
print(
    json.dumps(
        {
            "text": answer.text,
            "finish_reason": answer.response_metadata["finish_reason"],
            "total_tokens": answer.usage_metadata["total_tokens"],
            "streamed": "".join(chunk.text for chunk in chat.stream(ASKED)),
            "error": failed,
        }
    )
)
