"""Speed beside other libraries: contestants in processes of their own, timed in turns."""
