printf 'Content-Type: text/plain\r\n\r\n'
printf '%s %s %s %s %s\n' "$REQUEST_METHOD" "$REQUEST_URI" "$SERVER_PROTOCOL" "$CONTENT_LENGTH" "$CONTENT_TYPE"
printf '%s|%s|%s|%s\n' "$HTTP_USER_AGENT" "$HTTP_ACCEPT" "$HTTP_X_ONE" "$HTTP_COOKIE"
cat
