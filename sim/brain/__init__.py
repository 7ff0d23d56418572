"""The upper half of the patient: neural masses, the connectome they are wired by, and what couples them to spikes."""
