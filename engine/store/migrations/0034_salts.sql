-- A salt belongs to a chain: it is shown to whom the chain's head is shown, or nobody could read what was sealed with it.
DROP POLICY tenant ON audit_salt;
CREATE POLICY tenant ON audit_salt USING (
    current_setting('gatehouse.across', true) = 'on'
    OR EXISTS (SELECT FROM audit_head h WHERE h.stream = audit_salt.stream));
