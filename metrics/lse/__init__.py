"""LSE-D and LSE-C: are the lips in step with the speech?"""
