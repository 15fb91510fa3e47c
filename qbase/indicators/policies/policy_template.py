"""An empty policy file: every word with what it wants, blanks to fill, and who there is to be treated."""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING

from qbase.core.errors import UsageError
from qbase.core.whole_files import write_atomic
from qbase.indicators.policies.policy_places import KINDS, SHOWN, names_of, read_names
from qbase.indicators.policies.policy_rules import check_id

if TYPE_CHECKING:
    from qbase.lake import Workspace

FOLDER = "data/policies"
TEMPLATE = """\
# 一项政策 / one policy。引号之间填写；留空（""）表示没有。井号后是说明。
# Fill in between the quotes; what stays "" says nothing. What follows # is a remark.
# 检查 / check:  qbase policy check {shown}
# 载入 / load:   qbase policy add {shown}

[policy]
id = {policy_id}
name = ""         # 必填：政策全名 | needed: its name
name_en = ""      # 英文名，可不填 | its name in English
issuer = ""       # 发文单位 | who issued it
document_no = ""  # 文号 | number of the document

[dates]
# 写法 / as you like: 2023-04-01、2023年4月1日、2023年4月、2023Q2、2023年二季度（季度和月份按其第一天 | the first day）
effective = ""    # 必填：起效 | needed: it took effect
drafted = ""      # 起草 | drafted
announced = ""    # 公布 | announced
funded = ""       # 资金到位 | money arrived
accepted = ""     # 验收 | accepted
source = ""       # 必填：日期的出处，如文号、网址 | needed: where the dates come from
confidence = ""   # 必填 | needed: document 文件 · report 报道 · assumed 推定

# 谁、从何时起。每个对象一节 [[spell]]，三选一：town、cluster、firm，写编号或全名。
# Who, from when. One [[spell]] each, and in it one of town, cluster, firm: id or full name.
{choices}
[[spell]]
town = ""         # 乡镇 | town
cluster = ""      # 产业集群 | cluster
firm = ""         # 企业 | firm
start = ""        # 必填：起始季度或其中一天 | needed: first quarter, or a day in it
end = ""          # 截止季度；仍有效则留空 | last quarter; blank while it holds

# 评价方案：在政策生效前写定，结论更可信 | the plan: written down before the policy took effect, it counts for more
[plan]
outcome = ""      # 主要指标，如 D1.batch | main indicator
population = ""   # 对象范围，如 全部批次 | population
weight = ""       # 权重，如 基线名录企业数 | weights, such as firms of the baseline frame
window = ""       # 窗口，如 前 12 季、后 8 季 | window
comparator = ""   # 对照，如 同产品、不相邻的集群 | comparator
inference = ""    # 推断方法，如 采用时间置换 | inference
decision_dates = []  # 作结论的日期，如 ["2025-03-31"]；其余时间只监测 | days of decision; between them no conclusion
secondary = []    # 次要指标，一并校正多重检验 | secondary outcomes, judged together
placebo = []      # 政策不应改变的指标 | outcomes the policy cannot move
instruments = []  # 想单独判断的工具，至多两项，如 ["W1", "W3"] | instruments asked about by themselves, at most two
# 锁定 / lock: qbase policy lock ID （锁定后不可改 | it cannot be changed then）
locked = ""       # 写定的日期 | the day it was fixed

# 目标，可重复；不用时整节留空 | targets, any number; leave it blank where there is none
[[target]]
horizon = ""      # near 近期 · long 长期
indicator = ""    # 指标编号：qbase indicators | its id
population = ""   # 对象范围 | population
words = ""        # 文件原话 | the words of the document
value = ""        # 数值，文件没有写就留空 | its number, blank where the document has none
"""


def write_policy_template(workspace: Workspace, policy_id: str, path: pathlib.Path | None = None) -> pathlib.Path:
    """Write an empty policy file with remarks, to be filled in.

    Parameters
    ----------
    workspace : Workspace
        Where to, and whose towns and clusters are named as choices.
    policy_id : str
        Letters, digits, ``_ . -``.
    path : pathlib.Path or None
        None is ``data/policies/ID.toml`` of the workspace.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    UsageError
        The file exists (QB452).
    DataError
        The id cannot be typed in a command (QB448).

    Examples
    --------
    >>> import tempfile
    >>> from qbase.indicators import read_policy_file, write_policy_template
    >>> from qbase.lake import Workspace, open_workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> path = write_policy_template(home, "base-2023")
    >>> path.relative_to(home.root).as_posix()
    'data/policies/base-2023.toml'
    >>> read_policy_file(open_workspace(), path)
    Traceback (most recent call last):
    qbase.core.errors.DataError: error[QB447] the policy file lacks [policy] name
      found     no [policy] name, [dates] effective, [dates] source, [dates] confidence, [[spell]] town...
    """
    check_id(policy_id)
    target = path or workspace.root / FOLDER / f"{policy_id}.toml"
    if target.exists():
        raise UsageError(
            "QB452", file=target.name, found=str(target), expected="a file that does not exist yet",
            fix=f"qbase policy new {policy_id}-2   or   qbase policy check {_shown(workspace, target)}",
        )  # fmt: skip
    shown = _shown(workspace, target)
    quoted = json.dumps(policy_id, ensure_ascii=False)
    write_atomic(target, TEMPLATE.format(policy_id=quoted, shown=shown, choices=_list_choices(workspace)))
    return target


def _shown(workspace: Workspace, path: pathlib.Path) -> str:
    inside = path.resolve().is_relative_to(workspace.root.resolve())
    return workspace.relative(path.resolve()) if inside else str(path)


def _list_choices(workspace: Workspace) -> str:
    lines = []
    for kind in ("town", "cluster"):
        if workspace.has_table(names_of(kind).table):
            names = read_names(workspace, kind, workspace.snapshot())
            shown = [f"{i} {name}" for i, name in names.items()][: 4 * SHOWN]
            lines.append(
                f"# {KINDS[kind][1].zh} | {kind}: {' · '.join(shown)}" + (" …" if len(names) > len(shown) else "")
            )
    return "\n".join(lines) or "# （载入乡镇、集群后可写名称 | once towns and clusters are loaded, names will do）"
