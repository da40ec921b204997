"""What the networks cost: time, CPU time and memory, measured side by side with a loop like the published code's."""
