"""A rehearsal to compare with what then happens."""

from __future__ import annotations

HELLO = """\
journey: hello
name: Hello
serves: Connect early
enter:
  when: class:2005..
  reentry: after_exit
  gap: 5d
exit: stage:connected..
goal: replied
steps:
  - {id: first, send: letter, topic: news, priority: 70, expires: 6d}
  - {id: heard, wait_for: replied, max: 4d, yes: thanks, no: again}
  - {id: again, send: letter, topic: news, expires: 3d}
  - {id: rest, wait: 3d, next: done}
  - {id: thanks, send: letter, topic: events}
  - {id: done, exit: done}
"""


YEARS = """\
journey: years
name: Years
serves: Come together
enter: {when: "years:5,10,25", reentry: yearly}
steps:
  - {id: invite, send: letter, topic: events}
  - {id: who, branch: "stage:aware..", yes: more, no: done}
  - {id: more, send: letter, topic: events}
  - {id: done, exit: done}
"""


ACTING = """\
journey: acting
name: Acting
serves: Come together
enter: "class:2000.."
steps:
  - {id: lots, split: {call: 50, ask: 50}}
  - {id: call, task: "Call them", next: letter}
  - {id: ask, ask: speak, next: letter}
  - {id: letter, send: letter, topic: news}
  - {id: done, exit: done}
"""
