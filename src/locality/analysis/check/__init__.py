"""Does locality hold in a table? Trials, rivals, errors, and the verdict drawn from them."""
