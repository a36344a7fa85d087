"""What runs inside a node: fetch inputs, bring up the cluster, run the body, publish outputs.

The same code runs on a laptop, in an Argo pod and in an AWS Batch job. It imports nothing of the compiler; the plan
(`flowc.runtime.plan`) is all they share. User code imports `current` from here, which needs only the standard library.
"""
