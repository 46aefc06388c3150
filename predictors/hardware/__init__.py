"""Exact costs from the operator table: counts, memory by runtime, schedules, devices."""
