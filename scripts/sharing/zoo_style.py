# SPDX-License-Identifier: Apache-2.0
"""The frame and the style of a zoo folder's page; nothing in it is fetched from elsewhere."""

from __future__ import annotations

STYLE = """\
:root { color-scheme: light dark; --line: #ccd3da; --soft: #f3f5f7; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --line: #3a424b; --soft: #1d2228; --link: #7db8ff; } }
body { margin: 0 auto; padding: 1rem; max-width: 78rem; font: 1rem/1.5 system-ui, sans-serif; }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 34rem), 1fr)); }
article { min-width: 0; padding: 1rem; border: 1px solid var(--line); border-radius: .6rem; }
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 0 0 .5rem; font-size: 1.2rem; line-height: 1.3; }
a { color: var(--link); font-weight: 600; overflow-wrap: anywhere; }
img { max-width: 100%; max-height: 16rem; background: #fff; border-radius: .3rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem .8rem; margin: .5rem 0; }
dt { font-weight: 600; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
pre { padding: .6rem; overflow-x: auto; background: var(--soft); border-radius: .3rem; }
code { font: .85rem ui-monospace, monospace; overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; }
"""

# str.format fills it; no script may run, whatever a bundle's metadata say
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="script-src 'none'; object-src 'none'; base-uri 'none'">
<title>Model zoo: {count}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>Model zoo</h1>
<p>{count} in MONAI's bundle format; the list for programs is <a href="{model_info}">{model_info}</a>.</p>
{address}
</header>
<main>
{cards}
</main>
</body>
</html>
"""
