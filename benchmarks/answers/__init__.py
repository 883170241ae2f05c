"""The questions of `make eval-answers` and how an answer is compared with an article."""
