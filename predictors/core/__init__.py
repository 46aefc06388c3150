"""The words every predictor shares."""
