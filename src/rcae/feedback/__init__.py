"""What people say of decisions, and what a model learns from it."""
