"""Is a row abnormal, since when, and which sensor is to blame?"""
