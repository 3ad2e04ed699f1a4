"""Language tags as containers write them (ISO 639-2, with luck BCP 47) become BCP 47 tags, which HLS wants (RFC 5646).

Called by audio_tracks and subtitles; an unknown code stays what it is, nonsense becomes `und`.
"""

from __future__ import annotations

import re

UNKNOWN = "und"

# BCP 47 takes the shortest code there is: ISO 639-1 for these codes of ISO 639-2 (RFC 5646 §2.2.1).
_CODES = """
    aar:aa abk:ab afr:af aka:ak alb:sq amh:am ara:ar arg:an arm:hy asm:as ava:av ave:ae aym:ay aze:az bak:ba bam:bm baq:eu
    bel:be ben:bn bis:bi bod:bo bos:bs bre:br bul:bg bur:my cat:ca ces:cs cha:ch che:ce chi:zh chu:cu chv:cv cor:kw cos:co
    cre:cr cym:cy cze:cs dan:da deu:de div:dv dut:nl dzo:dz ell:el eng:en epo:eo est:et eus:eu ewe:ee fao:fo fas:fa fij:fj
    fin:fi fra:fr fre:fr fry:fy ful:ff geo:ka ger:de gla:gd gle:ga glg:gl glv:gv gre:el grn:gn guj:gu hat:ht hau:ha heb:he
    her:hz hin:hi hmo:ho hrv:hr hun:hu hye:hy ibo:ig ice:is ido:io iii:ii iku:iu ile:ie ina:ia ind:id ipk:ik isl:is ita:it
    jav:jv jpn:ja kal:kl kan:kn kas:ks kat:ka kau:kr kaz:kk khm:km kik:ki kin:rw kir:ky kom:kv kon:kg kor:ko kua:kj kur:ku
    lao:lo lat:la lav:lv lim:li lin:ln lit:lt ltz:lb lub:lu lug:lg mac:mk mah:mh mal:ml mao:mi mar:mr may:ms mkd:mk mlg:mg
    mlt:mt mon:mn mri:mi msa:ms mya:my nau:na nav:nv nbl:nr nde:nd ndo:ng nep:ne nld:nl nno:nn nob:nb nor:no nya:ny oci:oc
    oji:oj ori:or orm:om oss:os pan:pa per:fa pli:pi pol:pl por:pt pus:ps que:qu roh:rm ron:ro rum:ro run:rn rus:ru sag:sg
    san:sa sin:si slk:sk slo:sk slv:sl sme:se smo:sm sna:sn snd:sd som:so sot:st spa:es sqi:sq srd:sc srp:sr ssw:ss sun:su
    swa:sw swe:sv tah:ty tam:ta tat:tt tel:te tgk:tg tgl:tl tha:th tib:bo tir:ti ton:to tsn:tn tso:ts tuk:tk tur:tr twi:tw
    uig:ug ukr:uk urd:ur uzb:uz ven:ve vie:vi vol:vo wel:cy wln:wa wol:wo xho:xh yid:yi yor:yo zha:za zho:zh zul:zu
"""
_SHORT = dict(pair.split(":") for pair in _CODES.split())
_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")


def container_tag(text: str) -> str:
    """`text` if it can be a language tag at all, else `und`: safe in names and playlists."""
    return text if len(text) <= 35 and _TAG.fullmatch(text) else UNKNOWN


def canonical_tag(text: str) -> str | None:
    """The BCP 47 tag that a person or a file name means by `text`, in its usual capitals (`PT_br` is `pt-BR`); None if it is none.

    The primary language has two or three letters, so that ordinary words are no languages.
    """
    primary, *rest = text.replace("_", "-").split("-")
    if not 2 <= len(primary) <= 3 or len(text) > 35 or _TAG.fullmatch("-".join([primary, *rest])) is None:
        return None
    shown = [part.upper() if len(part) == 2 else part.title() if len(part) == 4 else part.lower() for part in rest]
    return "-".join([bcp47(primary), *shown])


def bcp47(text: str) -> str:
    """The BCP 47 tag for what a container says: `eng` is `en`, `ger-AT` is `de-AT`, nothing or nonsense is `und`."""
    primary, hyphen, rest = container_tag(text).partition("-")
    return _SHORT.get(primary.lower(), primary.lower()) + hyphen + rest
