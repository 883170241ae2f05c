"""Reading comprehension: which sentences of a text answer a question."""
