"""A whole model at a rate: how many engines of which design, and what standard attention would need."""

from hamming.plan.plan import Plan, plan
from hamming.plan.question import Question, model_names, read_question

__all__ = ["Plan", "Question", "model_names", "plan", "read_question"]
