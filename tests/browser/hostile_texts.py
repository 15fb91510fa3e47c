"""Forty harmless markers: each would call ``hit(n)`` or ask a counter on this machine if a browser let it act.

``{n}`` is the number of the marker, ``{at}`` the address of the counter.
"""

from __future__ import annotations

HOSTILE = (
    # elements that are scripts
    "<script>hit({n})</script>",
    "<SCRIPT SRC={at}/{n}.js></SCRIPT>",
    "<script type=module>hit({n})</script>",
    "<scr<script>ipt>hit({n})</scr</script>ipt><script>hit({n})</script>",
    "<svg><script>hit({n})</script></svg>",
    "<svg><script href='{at}/{n}.js'></script></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=hit({n})&gt;' src=x"
    " onerror=hit({n})>",
    "<template shadowrootmode=open><script>hit({n})</script></template><p><script>hit({n})</script>",
    # handlers that need nobody
    "<img src=x onerror=hit({n})>",
    "<img src=x oNeRrOr=hit({n})//",
    "<image src=x onerror=hit({n})>",
    "<svg onload=hit({n})>",
    "<svg/onload=hit({n})//",
    "<svg><animate onbegin=hit({n}) attributeName=x dur=1s></svg>",
    "<svg><set onbegin=hit({n}) attributeName=x to=1></svg>",
    "<video src=x onerror=hit({n})></video>",
    "<audio src=x onerror=hit({n})></audio>",
    "<video><source src=x onerror=hit({n})></video>",
    "<input autofocus onfocus=hit({n})>",
    "<details open ontoggle=hit({n})><summary>s</summary></details>",
    "<style>@keyframes k{n} {{ from {{ top: 0 }} }}</style>"
    "<b style='animation: k{n} 1ms' onanimationstart=hit({n})>b</b>",
    "<body onpageshow=hit({n}) onload=hit({n})><iframe srcdoc='<body onload=parent.hit({n})>'></iframe>",
    "<object data=x onerror=hit({n})></object>",
    "<link rel=stylesheet href=x onerror=hit({n})>",
    "<style onload=hit({n})>b {{ top: 0 }}</style>",
    # leaving the place where text stands
    "</td></tr></table></div></section></main><script>hit({n})</script>",
    "</style><script>hit({n})</script>",
    "</title></head><script>hit({n})</script>",
    "--><script>hit({n})</script><!--",
    "\"'><img src=x onerror=hit({n})><b title=\"'",
    "</textarea></noscript></xmp><img src=x onerror=hit({n})>",
    # frames and documents within
    "<iframe src='javascript:parent.hit({n})'></iframe>",
    "<iframe srcdoc='&lt;script>parent.hit({n})&lt;/script>'></iframe>",
    # requests without a script
    "<img src='{at}/{n}.png'>",
    "<img srcset='{at}/{n}.png 1x' src='data:image/png;base64,AAAA'>",
    "<link rel=stylesheet href='{at}/{n}.css'>",
    "<style>@import '{at}/{n}.css';</style>",
    "<p style=\"background: url('{at}/{n}.png')\">p</p>",
    "<svg width=9 height=9><image href='{at}/{n}.svg' width=9 height=9 /></svg>",
    "<object data='{at}/{n}.html'></object><embed src='{at}/{n}.html'><iframe src='{at}/{n}.html'></iframe>",
)
