"""The command ``qbase``: one door in, one exit code out, four lines for every error.

The table below is the one place where a verb is declared. What a call does not need is not imported: the first page
of help is written from the table alone, and of the commands only the one that is called is read.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Sequence

from qbase.cli.speaking.first_page import Sections, is_asked, write_first_page
from qbase.cli.speaking.language import pick_language

COMPLETING = "_QBASE_COMPLETE"  # by this a shell asks typer what a word may become
SECTIONS: Sections = {
    "开始 | Start": {
        "demo": (
            "data.demo_and_load",
            "demo",
            "建立虚构的云泽省数据并运行演示报告 | make the fictional province and run the demo reports",
        ),
        "lab": (
            "help.lab_command",
            "lab",
            "打开 JupyterLab：工作区、看数工具、中文界面 | open JupyterLab over the workspace",
        ),
        "new": ("help.help_commands", "new", "从模板建立新的工作区 | make a new workspace from a template"),
    },
    "数据 | Data": {
        "load": (
            "data.demo_and_load",
            "load",
            "把收到的文件载入数据湖，逐行核对 | load deliveries into the lake, every row accounted for",
        ),
        "table": (
            "data.table_command",
            "table",
            "有哪些表、各列填什么，写出空白表格 | the tables, what their columns take, empty workbooks",
        ),
        "check": (
            "data.check_and_quarantine",
            "check",
            "检查已载入的表：契约、新旧、与上期的变化 | check loaded tables: contract, age, what changed",
        ),
        "places": (
            "data.places_command",
            "places",
            "乡镇的名称和代码：列出，或从区划表导入 | names and codes of towns: list, or import divisions",
        ),
        "quarantine": (
            "data.check_and_quarantine",
            "quarantine",
            "被隔离的行：列出、导出、重读 | rows set aside: list, export, read again",
        ),
        "links": (
            "data.links_command",
            "links",
            "存疑的企业对应：列出、接受、拒绝、撤销 | doubtful links of firms: list, accept, reject, undo",
        ),
        "policy": ("data.policy_command", "policy", "新建、检查或录入一项政策 | write, check or enter a policy"),
        "ledger": (
            "data.ledger_command",
            "ledger",
            "账本在哪里；搬到几台机器共用的服务器 | where the ledger is; move it to a server for several machines",
        ),
    },
    "指标 | Indicators": {
        "indicators": (
            "numbers.indicators_command",
            "indicators",
            "政策各条款的指标及数据情况 | the indicators of every clause and their data",
        ),
        "panel": ("numbers.panel_command", "panel", "建立面板并写成文件 | build a panel and write it as a file"),
        "plan": (
            "numbers.plan_command",
            "plan",
            "抽查计划：公布种子的摘要、抽取企业、核对 | a plan of draws: publish its seed's hash, draw, verify",
        ),
    },
    "报告 | Reports": {
        "list": ("reports.report_commands", "list_reports", "列出报告 | list the reports"),
        "inspect": ("reports.report_commands", "inspect", "一份报告的参数 | the parameters of a report"),
        "run": ("reports.run_command", "run", "运行并发布报告 | run and publish reports"),
        "runs": (
            "reports.runs_command",
            "runs",
            "运行历史；一次运行的全部；接着做中断的 | the history of runs, one run, what was interrupted",
        ),
        "prune": ("reports.prune_command", "prune", "清理旧的运行文件夹 | remove the folders of old runs"),
        "schedule": ("reports.schedule_command", "schedule", "按时间运行报告 | run reports when they are due"),
        "diff": ("reports.diff_command", "diff", "两次运行有何不同 | what tells two runs apart"),
        "moved": (
            "reports.moved_command",
            "moved",
            "越出上次区间的数：列出、查看、签收 | numbers beyond their last interval: list, show, sign off",
        ),
        "release": (
            "reports.release_command",
            "release",
            "对外发布：哪些数不显示，谁申请、谁审核 | what is withheld outside the house, who asks and who decides",
        ),
        "share": (
            "reports.share_command",
            "share",
            "把批准的页面写成不需要服务器的文件 | write approved pages as files that need no server",
        ),
        "render": (
            "reports.render_command",
            "render",
            "把成品报告写成 PDF、Word、表格或 Markdown | write finished reports as PDF, Word, workbook or Markdown",
        ),
        "verify": ("reports.verify_command", "verify", "校验成品报告 | verify finished reports"),
    },
    "帮助 | Help": {
        "doctor": ("help.help_commands", "doctor", "检查这台机器 | check this machine"),
        "explain": ("help.help_commands", "explain", "解释一个错误代码 | explain an error code"),
    },
}


def run(words: Sequence[str] | None = None) -> int:
    """Run one call.

    Parameters
    ----------
    words : sequence of str, optional
        Words after ``qbase``; those of the process by default.

    Returns
    -------
    int
        0 ok, 1 a report failed, 2 usage, 3 data, 4 environment, 130 interrupted.
    """
    words = list(sys.argv[1:] if words is None else words)
    lang = pick_language(words, os.environ)
    _never_fail_on_a_character()
    try:
        if is_asked(words) and COMPLETING not in os.environ and _is_written(write_first_page(SECTIONS, lang)):
            return 0
        from qbase.cli.speaking.verb_group import call_verb

        return call_verb(SECTIONS, words, lang)
    except (Exception, KeyboardInterrupt) as error:
        from qbase.cli.speaking.failures import tell_failure

        return tell_failure(error, words, lang)


def _is_written(page: str) -> bool:
    """Write a page; typer has to where the terminal claims to know ASCII alone, or refuses to be written."""
    out = sys.stdout
    if out is None or codecs.lookup(out.encoding or "ascii").name == "ascii":
        return False
    try:
        out.write(f"{page}\n")
        out.flush()
    except OSError:
        return False
    return True


def _never_fail_on_a_character() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # a terminal that cannot show a character shows its code, and the command goes on
            stream.reconfigure(errors="backslashreplace")
