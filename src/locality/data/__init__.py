"""Tables in and out: frames, files, standardization, exact laws and packaged data sets."""
