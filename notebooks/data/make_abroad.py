"""Make `phones-from-abroad.csv`: orders as they come out of a spreadsheet of another country.

    python notebooks/data/make_abroad.py

GB18030, semicolons, a title above Chinese headers, and what spreadsheets and people do to numbers and names.
"""

from __future__ import annotations

import sys
from pathlib import Path

LINES = (
    "新年话机申请表;;;;;",
    "",
    "语音应用id;话机组名称;话机名;话机数;显示号码;备注",
    "4luaKsL2;北京客服一部;bjkf1;25;8610851100;",
    "4luaKsL2; 北京客服二部 ;bjkf2;25;+86 10 8511 01;号码带空格",
    "4luaKsL2;reception;front;1;'8610850001;",
    "4luaKsL2;hotline;hotln;120.0;8610850100;三班",
    "4luaKsL2;night-shift;night;５０;8610850200;全角数字",
    "4luaKsL2;billing;bill;12;８６１０８５０３００;全角数字",
    "4luaKsL2;campaign;campaign;8;8.610850301E+09;",
    "4luaKsL2;second-line;tech2;15;8.61E+09;科学计数",
    "4luaKsL2;Mar-05;mar5;4;8610850400;三月五日活动",
    "4luaKsL2;quality;quali;6;#N/A;查不到",
    "4luaKsL2;Reception;front2;1;8610850002;",
    "4luaKsL2;harbour;harb;13;755820001;深圳号码",
    "4luaKsL2;IT;itdesk;4;8610850600;",
    "4luaKsL2;training;train;about 10;8610850800;",
    "4luaKsL2;vip-care;vip\u200bcare;5;8610851000;",
    "4luaKsL2;hotline_2;hotln-b;5;8610850101;热线第二组",
    "",
    "4luaKsL2;overflow;over;20;8610851300;",
)


def make(path: Path) -> None:
    """Write the orders to a file at `path`."""
    path.write_bytes("\r\n".join([*LINES, ""]).encode("gb18030"))


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("phones-from-abroad.csv"))
