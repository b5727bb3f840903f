"""The diagnosis benchmark: patients, similarity baselines, calibration, report."""
