"""What ``bmi bench`` runs: every figure beside a floor measured in the same run."""
