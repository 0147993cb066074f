"""Submit a saved plan, one request at a time: what `04-resume-after-a-crash.ipynb` kills in the middle.

python data/submit.py plan.json ledger.sqlite
"""

import sys

from itnio_nb import Account, Client, Ledger, Plan, Workspace

plan, ledger = sys.argv[1:]
Workspace(Client(Account.from_env()), Ledger(ledger)).submit(Plan.load(plan), workers=1).wait()
