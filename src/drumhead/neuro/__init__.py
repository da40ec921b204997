"""From electrodes and films to fields, and from a network's medium to cortex."""

from drumhead.neuro.recording import read
