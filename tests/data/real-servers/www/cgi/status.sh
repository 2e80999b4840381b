printf 'Status: %s As Asked\r\nContent-Type: text/plain\r\n\r\nas asked\n' "$QUERY_STRING"
