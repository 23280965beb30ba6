"""The paper's networks and nothing else: RcAE, DPN, CRD, the baseline, and their losses."""
