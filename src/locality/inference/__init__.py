"""What a score field is used for: samples, surprise and imputation."""
