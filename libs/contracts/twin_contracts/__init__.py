"""Everything that crosses a process boundary in LLM Twin: pydantic models and the names they travel under."""
