r"""What the inputs of `fuzzing` are made of: words that mean something to those who read them.

Words are parted by blanks and written as in a literal of bytes, but a blank in one is written ␣;
`\x1e` parts the arguments of a target.
"""


def _words(text: str) -> tuple[bytes, ...]:
    return tuple(
        word.replace("␣", " ").encode().decode("unicode_escape").encode("latin-1")
        for word in dict.fromkeys(text.split())
    )


HTML = _words(r"""
    <a␣href=x> <a␣href='http://b.example/?q=\xc3\xa9'> <a␣href=//[::1]:1/␣rel=nofollow>
    <area␣href=./..//x> <base␣href=/b/> <base␣href='data:,x'> <body␣a=1> <b␣id=1> <font␣color=x>
    <form> <frameset> <frame␣src=x> <html␣lang=x> <iframe␣src=y> <input␣type=hidden>
    <link␣rel=canonical␣href=x> <link␣rel='next␣alternate'␣href=x␣type=text/html> <math>
    <annotation-xml␣encoding=text/html> <meta␣charset=utf-8> <meta␣charset=iso-2022-jp>
    <meta␣http-equiv=content-type␣content='text/html;␣charset=gbk'>
    <meta␣name=robots␣content='noindex,␣nofollow'> <noscript> <option> <p> <plaintext> <script>
    <select> <style> <svg> <foreignObject> <table> <td> <template> <template␣shadowrootmode=open>
    <textarea> <title> </a> </area> </base> </body> </b> </font> </form> </frameset> </frame>
    </html> </iframe> </input> </link> </math> </annotation-xml> </meta> </noscript> </option>
    </p> </plaintext> </script> </select> </style> </svg> </foreignObject> </table> </td>
    </template> </textarea> </title> <!doctype␣html> <!-- --> <![CDATA[ ]]> &amp; &#x110000;
    &notin \xef\xbb\xbf \xff\xfe \xfe\xff \x00 \xff \x1b$B \x1b(J \x841 text ␣ \r\n < = " ' # ?
    \xd0\xb0\xd0\xb1\xd0\xb2␣\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e␣\xcc\x81␣\xf0\x9f\x98\x80 \x1e
""")
URLS = _words(r"""
    http:// HTTPS: // / \\ .. %2e%2E /./ ? # & = : @ user:pass@ [::ffff:1.2.3.4] [ ] 0x7f.1
    017700000001 256 :80 :443 :65536 a.example co.uk xn-- xn--ls8h xn--a ~~ . - mailto: data:,
    javascript: file:///C|/ about:blank blob: ws:// x: % %00 %zz %c3%a9 ^ | ` { \x00 ␣ \t \r\n
    \x7f \xc3\xa9 \xcc\x81 \xe2\x80\x8d \xe3\x80\x82 \xef\xbc\x8e \xe2\x84\xaa \xc3\x9f \xd7\x90
    \xf0\x9f\x98\x80 gbk iso-2022-jp shift_jis windows-1251 utf-16 \xed\xa0\x80 \x1e
""")
FIELDS = _words(r"""
    Content-Type:␣text/html;␣charset= Location:␣ Retry-After:␣ X-Robots-Tag:␣ Content-Encoding:␣
    gzip br deflate HTTP/1.1␣100␣Continue HTTP/2␣200 \n \r ␣ \t : ; , " \x00 \xc3\xa0 \xa0 \x85
    =?utf-8?q? ours:␣noindex none unavailable_after:␣25␣Jun␣2010␣15:00:00␣PST max-snippet:20
    Sun,␣06␣Nov␣1994␣08:49:37␣GMT Sunday,␣06-Nov-94␣08:49:37␣GMT Sun␣Nov␣␣6␣08:49:37␣1994
    31␣Dec␣9999␣23:59:59␣-2359 1␣Jan␣1␣0:0:0␣+2359 -0000 1e400
    9999999999999999999999999999999999999999 120 utf-8 klingon http:// text/html charset= no-name
""")
ROBOTS = _words(r"""
    User-agent:␣ user␣agent␣ Disallow:␣ Allow:␣ Crawl-delay:␣ Sitemap:␣ * $ / # : ? , % %2A %24
    %e9 index.html a/b/ \n \r \r\n ␣ \t \x00 \xef\xbb\xbf \xff\xfe <html> \xff ours
    Ours/1.0␣(+http://a.example/) Mozilla/5.0␣(compatible;␣ours) 1.5
    9999999999999999999999999999999999999999 http://a.example/a/b?x=1 http://a.example/sitemap.xml
    //[ ../ \x1e
""")
SITEMAPS = _words(r"""
    <?xml␣version='1.0'␣encoding='utf-8'?> <urlset␣xmlns='http://www.sitemaps.org/'> <url>
    <sitemapindex> <sitemap> <loc> http://a.example/dir/x </loc> </url>
    <lastmod>2026-01-01T00:00:00Z</lastmod> <priority>0.5</priority> <image:loc> <rss> <channel>
    <item> <link> <guid> <pubDate> <feed> <entry> </urlset> <link␣href='http://a.example/'/>
    <![CDATA[ ]]> <!-- --> <!DOCTYPE␣x␣[ ]> <!ENTITY␣a␣'b'> &a; &amp; &#0; <x:url␣xmlns:x=''>
    \xff\xfe \xef\xbb\xbf \n ␣ \x00 ' " < > / = \x1f\x8b\x08 \x1e
""")
TEXT = _words(r"""
    \x1b[31m \xe2\x80\xae \xe2\x81\xa6 \xe2\x80\xa8 \xe2\x80\xa9 \xc2\x85 \xc2\x9b \x00 \n \t \r
    \xc2\xad \xef\xbb\xbf \xcc\x81 \xf3\xa0\x81\x81 \xee\x80\x80 \xd7\x90
    \xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9 x
""")
CODINGS = _words(r"""
    gzip x-gzip br deflate identity , \x1e \x1f\x8b\x08\x00 \x1f\x8b \x78\x9c \x78\x01 \xff\xff \x00
    \x4b\x04\x00 \x03\x00 \x0b\x00\x80 \x8b\x00\x80
""")
