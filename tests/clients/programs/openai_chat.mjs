// npm's `openai`: an answer, its own stream helper, a follow-up, errors. Prints one JSON object.
import OpenAI from "openai";

const options = { baseURL: `${process.env.TWIN_URL}/v1`, apiKey: process.env.TWIN_API_KEY, maxRetries: 0 };
const client = new OpenAI(options);
const asked = { role: "user", content: "What is the sourdough starter fed with?" };

const answer = await client.chat.completions.create({ model: "twin", messages: [asked] });
const stream = client.chat.completions.stream({
  model: "twin",
  messages: [asked],
  stream_options: { include_usage: true },
});
const final = await stream.finalChatCompletion();
const followUp = await client.chat.completions.create({
  model: "twin",
  messages: [
    { role: "user", content: "Does the dough rest in the fridge?" },
    { role: "assistant", content: "Yes." },
    { role: "user", content: "And how long does that take?" },
  ],
});
const failures = {
  model: () => client.chat.completions.create({ model: "gpt-4", messages: [asked] }),
  choices: () => client.chat.completions.create({ model: "twin", messages: [asked], n: 2 }),
  key: () => new OpenAI({ ...options, apiKey: "wrong" }).models.list(),
};
const errors = {};
for (const [name, fail] of Object.entries(failures)) {
  await fail().catch((error) => {
    errors[name] = [error.constructor.name, error.code, error.error.message];
  });
}
const { content, annotations } = answer.choices[0].message;
console.log(
  JSON.stringify({
    text: content,
    marks: annotations.map(({ url_citation: cited }) =>
      [...content].slice(cited.start_index, cited.end_index).join(""),
    ),
    streamed: final.choices[0].message.content,
    finish_reason: final.choices[0].finish_reason,
    total_tokens: final.usage.total_tokens,
    follow_up: followUp.choices[0].message.content,
    errors,
  }),
);
