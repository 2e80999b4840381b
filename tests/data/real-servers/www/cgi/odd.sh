printf 'Status: 203 Not Sure\r\nContent-Type: text/x-odd\r\nx-lower-CASE:   kept  inside \r\n'
printf 'X-Twice: one\r\nX-Twice: two\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/elsewhere\r\n\r\nodd\n'
