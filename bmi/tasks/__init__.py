"""Tasks: what a participant is asked to do, and how it went; live and simulated alike."""
