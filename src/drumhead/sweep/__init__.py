"""Many runs: a grid of settings made into run directories, a launcher that fills them, and a report on any of them."""
