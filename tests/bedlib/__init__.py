"""What the test bed's commands share: paths, processes, free ports, certificates, Go builds.

Standard library only: it runs before anything has been installed.
"""
