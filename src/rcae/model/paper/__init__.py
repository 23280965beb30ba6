"""What the paper has and nothing else: RcAE, DPN, CRD, the baseline, and their losses."""
