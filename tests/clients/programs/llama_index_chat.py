"""`llama-index-llms-openai-like`: an answer, a stream, an error. Prints one JSON object."""

import json
import os

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

ASKED = "What is the sourdough starter fed with?"
settings = {
    "api_base": os.environ["TWIN_URL"] + "/v1",
    "api_key": os.environ["TWIN_API_KEY"],
    "is_chat_model": True,
    "max_retries": 0,
}
llm = OpenAILike(model="twin", **settings)
messages = [ChatMessage(role="user", content=ASKED)]
answer = llm.chat(messages)
try:
    OpenAILike(model="gpt-4", **settings).chat(messages)
except Exception as error:  # noqa: BLE001 - whatever reaches a program that uses it
    failed = str(error)
print(
    json.dumps(
        {
            "text": answer.message.content,
            "total_tokens": answer.raw.usage.total_tokens,
            "streamed": "".join(chunk.delta or "" for chunk in llm.stream_chat(messages)),
            "error": failed,
        }
    )
)
