"""Step Functions, Batch, S3 and as much of CloudFormation as a test needs, on this machine.

Takes documents as AWS would take them and gives executions, jobs and objects; refuses what AWS refuses. It knows
nothing of the compiler whose output it runs: an engine that shared code with the compiler would share its mistakes.
`stack.Aws` is the front door.
"""
