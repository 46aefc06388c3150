"""The words of a search: objective, budget, trial, Pareto front. No torch, no database, no files."""
