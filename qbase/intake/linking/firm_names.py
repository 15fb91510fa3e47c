"""Firm names taken apart: where, what, legal form, branch. Two names are one only where these parts say so."""

from __future__ import annotations

import dataclasses
import functools
import re
import unicodedata

_DROPPED = re.compile(r"[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff()（）〔〕\[\]【】·.,，。、\"'“”‘’-]+")
_PROVINCE = re.compile(r"^([\u4e00-\u9fff]{2,3})(?:省|自治区)(?=[\u4e00-\u9fff]{4})")
_PLACE_SIGN = re.compile(r"^([\u4e00-\u9fff]{2,3}?)[市县区镇乡](?=[\u4e00-\u9fff]{4})")
_LONG_FORMS = (("有限责任公司", "有限公司"), ("股份公司", "股份有限公司"))
_FORM = re.compile(r"(?:集团)?(?:股份)?有限公司|集团公司|公司|集团|合作社|工厂|总厂|厂")
_BRANCH = re.compile(r"^(.+?(?:公司|集团|厂|合作社))(.+(?:分公司|分厂|分店|经营部|门市部|营业部|办事处))$")
# characters of firm names in Taiwan, Hong Kong and on old seals; each has one simplified form
_PAIRS = """
廠厂 紡纺 織织 纖纤 業业 電电 車车 東东 華华 國国 龍龙 豐丰 達达 興兴 寧宁 紹绍 橋桥 縣县 鎮镇 鄉乡 區区 團团
儀仪 機机 輪轮 鋼钢 鐵铁 銅铜 鋁铝 飾饰 製制 貿贸 環环 藥药 醫医 農农 漁渔 飼饲 飲饮 衛卫 陽阳 陰阴 雲云 澤泽
麗丽 聖圣 凱凯 偉伟 誠诚 聯联 億亿 潤润 騰腾 恆恒 錦锦 鴻鸿 慶庆 順顺 發发 時时 實实 紙纸 絲丝 綢绸 緞缎 線线
網网 紗纱 維维 滌涤 綸纶 氈毡 潔洁 貝贝 資资 產产 責责 內内 經经 銷销 營营 門门 戶户 燈灯 氣气 熱热 燒烧 煉炼
礦矿 銀银 錫锡 鎢钨 鋅锌 鎳镍 鈦钛 鋰锂 塗涂 顏颜 樹树 膠胶 輸输 輕轻 靈灵 亞亚 長长 廣广 漢汉 濟济 溫温 處处
麼么 義义 臺台 灣湾 嶺岭 島岛 滬沪 蘇苏 贛赣 陝陕 遼辽 瀋沈 鄭郑 場场 衆众 眾众 萬万 寶宝 匯汇 滙汇 傑杰 榮荣
頂顶 銳锐 鑽钻 馬马 鳥鸟 魚鱼 鷹鹰 鶴鹤 鳳凤 盤盘 園园 圓圆 務务 員员 創创 藝艺 設设 計计 師师 專专 傳传 優优
價价 儲储 備备 複复 習习 體体 點点 無无 與与 為为 聲声 響响 頁页 題题 類类 風风 飛飞 馳驰 駿骏 驗验 歐欧 層层
屬属 嶄崭 崗岗 幣币 帶带 幫帮 庫库 廳厅 彈弹 強强 錄录 徑径 從从 復复 愛爱 態态 憶忆 懷怀 戰战 擇择 擴扩 據据
擔担 敵敌 數数 斷断 曉晓 曆历 術术 條条 來来 極极 構构 槍枪 樣样 標标 樞枢 權权 殺杀 歲岁 沖冲 決决 況况 淨净
湯汤 滿满 漲涨 濱滨 濾滤 爐炉 爭争 獎奖 獨独 獻献 現现 瑪玛 瑤瑶 璽玺 甌瓯 療疗 監监 盧卢 確确 磚砖 禮礼 種种
稅税 穩稳 競竞 筆笔 節节 範范 築筑 簡简 糧粮 糾纠 紅红 約约 級级 納纳 紐纽 純纯 紋纹 緒绪 終终 組组 結结 絕绝
給给 統统 絡络 絨绒 綠绿 綜综 綺绮 緊紧 總总 緯纬 練练 縫缝 縱纵 績绩 繪绘 繼继 續续 罷罢 羅罗 聰聪 肅肃 腦脑
膚肤 臨临 舊旧 艦舰 蘭兰 蘆芦 號号 補补 裝装 裡里 規规 視视 覽览 觀观 訂订 記记 訊讯 許许 評评 試试 詩诗 話话
詳详 語语 課课 調调 談谈 請请 論论 證证 識识 譜谱 護护 讀读 變变 豬猪 財财 貢贡 貨货 購购 貼贴 費费 賀贺 賓宾
賜赐 賢贤 賽赛 贊赞 趙赵 躍跃 軌轨 軍军 軒轩 軟软 載载 較较 輝辉 輯辑 轉转 辦办 邊边 遠远 連连 進进 運运 過过
選选 遷迁 還还 鄰邻 鄧邓 釀酿 釋释 針针 鈺钰 鉑铂 鋒锋 錢钱 鍋锅 鍊链 鍛锻 鍵键 鎖锁 鏈链 鏡镜 鑄铸 閃闪 開开
閥阀 閣阁 關关 陳陈 陸陆 際际 隨随 險险 雙双 雜杂 難难 雞鸡 離离 霧雾 靜静 鞏巩 韓韩 頓顿 領领 頻频 顧顾 顯显
飯饭 養养 館馆 駕驾 驅驱 鬆松 麥麦 黃黄 齊齐 齒齿 龜龟
"""
_TRADITIONAL = {ord(pair[0]): pair[1] for pair in _PAIRS.split()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class NameParts:
    """The parts of a firm name.

    Parameters
    ----------
    province : str
        ``云泽`` of 云泽省…; empty when no province is written with its sign.
    core : str
        What is left: place, brand, trade.
    form : str
        Legal form in its short spelling, 有限公司; empty when none is written.
    branch : str
        What follows the legal form of the parent, 澜渚分公司; empty for a firm of its own.
    """

    province: str
    core: str
    form: str
    branch: str

    @property
    def text(self) -> str:
        """The name without its province: two spellings of one firm have it in common."""
        return self.core + self.form + self.branch

    @property
    def bare(self) -> str:
        """The name without the sign of a city or county (绍兴市恒达 and 绍兴恒达)."""
        return _PLACE_SIGN.sub(r"\1", self.core) + self.form + self.branch


@functools.lru_cache(maxsize=100_000)
def plain_name(name: str) -> str:
    """Return a name without differences that mean nothing: width, case, spaces, brackets, traditional characters."""
    return _DROPPED.sub("", unicodedata.normalize("NFKC", name).casefold()).translate(_TRADITIONAL)


@functools.lru_cache(maxsize=100_000)
def split_name(name: str) -> NameParts:
    """Take a name apart.

    Parameters
    ----------
    name : str
        As printed.

    Returns
    -------
    NameParts

    Examples
    --------
    >>> split_name("云泽省清沅恒达化纤有限责任公司澜渚分公司")
    NameParts(province='云泽', core='清沅恒达化纤', form='有限公司', branch='澜渚分公司')
    """
    plain = plain_name(name)
    place = _PROVINCE.match(plain)
    rest = plain[place.end() :] if place else plain
    branch = ""
    parent = _BRANCH.match(rest)
    if parent:
        rest, branch = parent.groups()
    for long, short in _LONG_FORMS:
        if rest.endswith(long):
            rest = rest.removesuffix(long) + short
            break
    at = next((m.start() for m in _FORM.finditer(rest) if m.end() == len(rest) and m.start() > 0), len(rest))
    return NameParts(province=place[1] if place else "", core=rest[:at], form=rest[at:], branch=branch)


def name_form(name: str) -> str:
    """Return a name without the province in front, and with the short legal form."""
    return split_name(name).text
